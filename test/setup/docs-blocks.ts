// The programs that the documentation shows, each as a module of its own, for a compiler to read.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** What the pages take for given: values and functions of the reader. A block that declares one of these names has its own. */
const given = `
type Client = import('ragwarden/client').RagwardenClient;
declare const client: Client;
declare const url: string;
declare const token: string;
declare const key: string;
declare const id: string;
declare const lastSeq: number;
declare const session: { end(): Promise<void> };
declare const logger: Record<import('ragwarden/embedded').LogLine['level'], (text: string) => void>;
declare function askLightrag(question: string, mode: string): Promise<string>;
declare function ingest(): Promise<void>;
declare function handle(event: import('ragwarden').EventBody): Promise<void>;
declare function show(phase: string | null, progress: unknown): void;
`;

/** File name (page and line of the block) to text; one more has what is taken for given. */
export function programsOfDocs(): Map<string, string> {
  const programs = new Map([['given.d.ts', given]]);
  const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  for (const page of ['README.md', ...below.filter((name) => name.endsWith('.md')).map((name) => join('docs', name))]) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const { index, 1: block = '' } of text.matchAll(/^```(?:ts|js|typescript|javascript)\n([\s\S]*?)^```$/gm)) {
      const line = text.slice(0, index).split('\n').length;
      programs.set(`${page.replace(/\.md$/, '').replace(/\W+/g, '-')}-line-${line}.ts`, `${block}export {};\n`);
    }
  }
  return programs;
}
