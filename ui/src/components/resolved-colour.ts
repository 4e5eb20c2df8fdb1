/** A token as a colour that a canvas understands: `light-dark()` is resolved only in the colour of an element. */
export function resolved(element: HTMLElement, token: string): string {
  element.style.color = `var(--${token})`;
  const colour = getComputedStyle(element).color;
  element.style.color = "";
  return colour;
}
