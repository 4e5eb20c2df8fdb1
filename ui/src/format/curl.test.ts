import { expect, test } from "vitest";
import { curl, shellWord } from "./curl";

test("words are quoted for the shell", () => {
  expect(shellWord("http://127.0.0.1:7717/v1/department")).toBe("http://127.0.0.1:7717/v1/department");
  expect(shellWord("a?b=c&d=$(rm x)")).toBe("'a?b=c&d=$(rm x)'");
  expect(shellWord("it's")).toBe(`'it'\\''s'`);
});

test("a request is written as curl", () => {
  expect(curl({ method: "GET", url: "http://h/v1/x?limit=5" })).toBe(
    `curl 'http://h/v1/x?limit=5' \\\n  -H "authorization: Bearer $LEVADA_TOKEN"`,
  );
  const post = curl({
    method: "POST",
    url: "http://h/x",
    headers: [["content-type", "text/csv"]],
    body: "@rows.csv",
  });
  expect(post).toBe(
    `curl -X POST http://h/x \\\n  -H "authorization: Bearer $LEVADA_TOKEN" \\\n  -H 'content-type: text/csv' \\\n  --data-binary @rows.csv`,
  );
});
