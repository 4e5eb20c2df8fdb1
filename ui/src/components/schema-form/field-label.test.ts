import { expect, test } from "vitest";
import { fieldLabel } from "./field-label";

test.each([
  ["host", "Host"],
  ["tls_ca", "TLS CA"],
  ["allow_http", "Allow HTTP"],
  ["connect_timeout_s", "Connect timeout (seconds)"],
  ["settle_ms", "Settle (ms)"],
  ["s", "S"],
])("%s is called %s", (name, label) => expect(fieldLabel(name)).toBe(label));
