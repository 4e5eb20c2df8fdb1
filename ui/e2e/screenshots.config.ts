import base from "../playwright.config.ts";

/** Pictures of every page, with the demo's data: `npm run screenshots`. */
export default { ...base, testDir: ".", testMatch: "screenshots.ts", timeout: 600_000 };
