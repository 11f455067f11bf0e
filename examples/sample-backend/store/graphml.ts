// GraphML as NetworkX writes and reads it: attribute keys get a number when first met (nodes before edges), and each new
// key element is put in front of the older ones.

export type GraphNode = {
  readonly entity_id: string;
  readonly entity_type: string;
  readonly description: string;
  readonly source_id: string;
  readonly file_path: string;
  readonly created_at: number;
  readonly truncate: string;
};

export type GraphEdge = {
  readonly weight: number;
  readonly description: string;
  readonly keywords: string;
  readonly source_id: string;
  readonly file_path: string;
  readonly created_at: number;
  readonly truncate: string;
};

export type Attributes = Readonly<Record<string, string | number>>;
export type EdgeRecord = { readonly source: string; readonly target: string; readonly attributes: Attributes };
export type GraphRecords = { readonly nodes: ReadonlyMap<string, Attributes>; readonly edges: readonly EdgeRecord[] };

const opening = `<?xml version='1.0' encoding='utf-8'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">`;

/** The text of a GraphML file, in pieces; the order is that of `nodes` and `edges`. */
export function* renderGraphml(
  nodes: Iterable<readonly [string, Attributes]>,
  edges: Iterable<EdgeRecord>,
): Generator<string> {
  const keys = new Map<string, { id: string; element: string }>();
  const keyOf = (scope: 'node' | 'edge', name: string): string => {
    const known = keys.get(`${scope} ${name}`);
    if (known !== undefined) return known.id;
    const id = `d${keys.size}`;
    const type = name === 'weight' ? 'double' : name === 'created_at' ? 'long' : 'string';
    const element = `<key id="${id}" for="${scope}" attr.name="${escapeAttribute(name)}" attr.type="${type}"/>\n`;
    keys.set(`${scope} ${name}`, { id, element });
    return id;
  };
  const dataOf = (scope: 'node' | 'edge', attributes: Attributes): string =>
    Object.entries(attributes)
      .map(([name, value]) => {
        const text = name === 'weight' ? pythonFloat(Number(value)) : String(value);
        return `  <data key="${keyOf(scope, name)}">${escapeText(text)}</data>\n`;
      })
      .join('');

  const body: string[] = [];
  for (const [id, attributes] of nodes)
    body.push(`<node id="${escapeAttribute(id)}">\n${dataOf('node', attributes)}</node>\n`);
  for (const { source, target, attributes } of edges)
    body.push(
      `<edge source="${escapeAttribute(source)}" target="${escapeAttribute(target)}">\n${dataOf('edge', attributes)}</edge>\n`,
    );

  yield opening;
  for (const { element } of [...keys.values()].reverse()) yield element;
  yield '<graph edgedefault="undirected">';
  yield* body;
  yield '</graph></graphml>';
}

/** @throws Error with an XML parser's words when the file ends before its root element is closed */
export function parseGraphml(text: string): GraphRecords {
  const nodes = new Map<string, Attributes>();
  const edges: EdgeRecord[] = [];
  const names = new Map<string, { name: string; type: string }>();
  let open: Record<string, string | number> | undefined;
  const elements = /<(key|node|edge|data)\b([^>]*?)(\/?)>|<\/graphml>/g;
  let complete = false;
  for (let found = elements.exec(text); found !== null; found = elements.exec(text)) {
    const [whole, kind, raw, selfClosed] = found;
    if (whole === '</graphml>') complete = true;
    const given = readAttributes(raw ?? '');
    if (kind === 'key')
      names.set(given.id ?? '', { name: given['attr.name'] ?? '', type: given['attr.type'] ?? 'string' });
    else if (kind === 'node') {
      open = {};
      nodes.set(given.id ?? '', open);
    } else if (kind === 'edge') {
      open = {};
      edges.push({ source: given.source ?? '', target: given.target ?? '', attributes: open });
    } else if (kind === 'data' && open !== undefined) {
      const end = selfClosed === '/' ? elements.lastIndex : text.indexOf('</data>', elements.lastIndex);
      const value = end < 0 ? '' : unescapeXml(text.slice(elements.lastIndex, end));
      const key = names.get(given.key ?? '');
      if (key !== undefined)
        open[key.name] = key.type === 'long' || key.type === 'double' || key.type === 'int' ? Number(value) : value;
      if (end > elements.lastIndex) elements.lastIndex = end;
    }
  }
  if (!complete) {
    const lines = text.split('\n');
    throw new Error(`no element found: line ${lines.length}, column ${lines.at(-1)?.length ?? 0}`);
  }
  return { nodes, edges };
}

function readAttributes(raw: string): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [, name, value] of raw.matchAll(/([\w.:-]+)="([^"]*)"/g)) given[name ?? ''] = unescapeXml(value ?? '');
  return given;
}

function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function escapeAttribute(text: string): string {
  return escapeText(text)
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\t', '&#09;');
}

function unescapeXml(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|lt|gt|quot|apos|amp);/gi, (whole, name: string) => {
    if (name.startsWith('#x') || name.startsWith('#X')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }[name.toLowerCase()] ?? whole;
  });
}
