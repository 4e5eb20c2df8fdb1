import { useEffect } from "react";

/** Stands in for the package `react-style-singleton`: a sheet that is there while somebody uses it, without a `<style>` tag. */
export function styleSingleton() {
  let users = 0;
  const sheet = new CSSStyleSheet();

  return function Sheet({ styles }: { styles: string; dynamic?: boolean }) {
    useEffect(() => {
      sheet.replaceSync(styles);
      users += 1;
      if (users === 1) document.adoptedStyleSheets.push(sheet);
      return () => {
        users -= 1;
        if (users === 0)
          document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
      };
    }, [styles]);
    return null;
  };
}
