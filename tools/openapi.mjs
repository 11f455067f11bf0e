// Writes the description of the API: docs/openapi.json and the tables of docs/api.md, or one file elsewhere.
// Usage: node tools/openapi.mjs [--out FILE]
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWarden, renderDocument } from '../src/app/describe-warden.ts';
import { withRouteTables } from '../src/platform/http/route-tables.ts';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [flag, out] = process.argv.slice(2);
const document = await describeWarden();
if (flag === '--out' && out !== undefined) writeFileSync(out, renderDocument(document));
else {
  writeFileSync(path.join(root, 'docs/openapi.json'), renderDocument(document));
  const page = path.join(root, 'docs/api.md');
  writeFileSync(page, withRouteTables(readFileSync(page, 'utf8'), document));
}
