import base from "../playwright.config.ts";

/** Every page with very much stored: `npm run e2e:scale`. */
export default { ...base, testDir: ".", testMatch: "scale.ts", workers: 1, timeout: 3_600_000 };
