/** Focuses an element at once, so that the next key is its own; one that is not drawn yet, with the next frame. */
export function focusSoon(find: () => HTMLElement | null | undefined): void {
  const focus = () => {
    const found = find();
    found?.focus();
    return found !== null && found !== undefined;
  };
  if (!focus()) requestAnimationFrame(focus);
}
