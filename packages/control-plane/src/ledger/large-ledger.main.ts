// usage: large-ledger.main.ts FILE THOUSAND_EVENTS   makes a ledger for `pnpm bench start`

import { makeLargeLedger } from "./large.fixture.ts";

const [file = "", thousandEvents] = process.argv.slice(2);
makeLargeLedger(file, Number(thousandEvents));
