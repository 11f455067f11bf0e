import { SaxesParser } from 'saxes';
import type { TakeRow } from '../audit/store-rows.ts';
import { ContentFault } from './content-fault.ts';
import type { ContentReader } from './content-reader.ts';
import { createUtf8Check } from './utf8-check.ts';

/**
 * NetworkX's GraphML, read tag by tag: what is held is one element's text at a time. About 50 MB/s, most of it the strict XML
 * check; graphs are the small part of a workspace.
 */
export function readGraph(take: TakeRow<'graph'>): ContentReader<true> {
  const utf8 = createUtf8Check();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let depth = 0;
  let bytesBefore = 0;
  let charsBefore = 0;
  let text = '';

  const parser = new SaxesParser();
  /** Where the parser stands, in bytes. */
  const offset = (): number =>
    bytesBefore + Buffer.byteLength(text.slice(0, Math.max(0, parser.position - charsBefore)), 'utf8');
  const invalid = (what: string): ContentFault => new ContentFault('invalid', offset(), what);
  parser.on('error', (err) => {
    // The message begins with line and column; the offset says where.
    throw invalid(err.message.replace(/^\d+:\d+: /, ''));
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (depth === 0 && name !== 'graphml') throw invalid('the file is XML, but not GraphML');
    if (depth === 2 && name === 'node') {
      if (attributes.id === undefined) throw invalid('a node has no id');
      take({ node: attributes.id });
    } else if (depth === 2 && name === 'edge') {
      if (attributes.source === undefined || attributes.target === undefined) throw invalid('an edge has no ends');
      take({ ends: [attributes.source, attributes.target] });
    }
    depth += 1;
  });
  parser.on('closetag', () => {
    depth -= 1;
  });

  return {
    write(bytes) {
      utf8.write(bytes);
      text = decoder.decode(bytes, { stream: true });
      parser.write(text);
      bytesBefore += bytes.length;
      charsBefore += text.length;
      text = '';
    },
    end() {
      utf8.end();
      try {
        parser.close();
      } catch {
        // Whatever is wrong only now is wrong because the rest is missing.
        throw new ContentFault('torn', bytesBefore, 'the document is not complete');
      }
      return true;
    },
  };
}
