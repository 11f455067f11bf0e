import type { Parameter, ValueKind } from '../parameter.ts';
import { parameters } from './index.ts';

const sections: readonly { readonly title: string; readonly holds: (one: Parameter) => boolean }[] = [
  { title: 'Of each caller', holds: ({ perUser }) => perUser },
  { title: 'LightRAG: a restart is enough', holds: (one) => of(one, 'lightrag', ['safe']) },
  {
    title: 'LightRAG: only documents that come afterwards',
    holds: (one) => of(one, 'lightrag', ['new-documents', 're-extract']),
  },
  { title: 'LightRAG: every vector anew', holds: (one) => of(one, 'lightrag', ['re-embed']) },
  { title: 'LightRAG: another index', holds: (one) => of(one, 'lightrag', ['never']) },
  { title: 'GraphRAG', holds: ({ backend }) => backend === 'graphrag' },
];
const of = (one: Parameter, backend: string, classes: readonly string[]): boolean =>
  !one.perUser && one.backend === backend && classes.includes(one.class);

const bounds = (kind: ValueKind): string => {
  switch (kind.type) {
    case 'boolean':
      return 'true, false';
    case 'choice':
      return kind.of.join(', ');
    case 'text':
      return 'text';
    case 'integer':
    case 'number':
      return `${kind.least} to ${kind.most}`;
  }
};

const atBackend = ({ backendName, queryField }: Parameter): string =>
  backendName !== null
    ? `\`${backendName}\``
    : queryField === undefined
      ? 'none: a hint'
      : `\`${queryField}\` of a query`;

/** The catalogue as a page of the documentation. */
export function cataloguePage(): string {
  const row = (one: Parameter): string => {
    const before = one.fallbackBefore ? ` (before ${one.fallbackBefore.version}: ${one.fallbackBefore.value})` : '';
    const cells = [
      `\`${one.name}\``,
      atBackend(one),
      bounds(one.kind),
      `${one.fallback ?? ''}${before}`,
      one.unit ?? '',
      one.class,
      one.meaning,
    ];
    return `| ${cells.join(' | ')} |`;
  };
  const tables = sections.map(({ title, holds }) =>
    [
      `## ${title}`,
      '',
      '| parameter | at the backend | may be | default | unit | class | what it does |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      ...parameters.filter(holds).map(row),
    ].join('\n'),
  );
  return [
    '# Parameters of the backend',
    '',
    'Every parameter that `ragwarden tune` and the API know. [Tuning](tuning.md) says what the classes mean and how values are set. Defaults are those of LightRAG 1.5 and GraphRAG 3; the six that every caller may set have those that were promised.',
    '',
    tables.join('\n\n'),
    '',
  ].join('\n');
}
