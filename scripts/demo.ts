// `npm run demo`: see packages/playground/src/demo.

import "../packages/playground/src/demo/main.ts";
