const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

/** What a line says, without the codes that colour it in a terminal. */
export function plain(text: string): string {
  return text.includes("\u001b") ? text.replaceAll(ESCAPES, "") : text;
}
