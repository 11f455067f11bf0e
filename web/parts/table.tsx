import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatCount } from '../format.ts';
import { Action, Trouble, Unknown } from './text.tsx';

export type Column<T> = {
  /** Also stands above the value where rows are cards. */
  readonly title: string;
  /** `figure`: numbers under one another; `actions`: buttons, whose title is only for screen readers. */
  readonly kind?: 'figure' | 'actions';
  /** Drawn in the head instead of the title. */
  readonly head?: ComponentChildren;
  cell(row: T): ComponentChildren;
  /** What its rows may be ordered by; null, which is not known, comes last either way. */
  order?(row: T): number | string | null;
  /** Beside the pointer. */
  hint?(row: T): string | undefined;
  /** Classes of the cell. */
  look?(row: T): string | undefined;
};

export type TableProps<T> = {
  /** What a screen reader calls it. */
  readonly name: string;
  /** Undefined: not there yet. */
  readonly rows: readonly T[] | undefined;
  /** Why there is nothing, or nothing newer. */
  readonly problem?: string | undefined;
  /** The first column names its row. */
  readonly columns: readonly Column<NoInfer<T>>[];
  readonly empty: ComponentChildren;
  /** So many at first, the others by a press. */
  readonly atOnce?: number;
  /** Rows that the server still has; a press fetches them. */
  readonly more?: (() => unknown) | undefined;
  /** The server has older ones, and this page shows no more. */
  readonly isCut?: boolean;
  /** Rows that are nowhere to be had on this page. */
  readonly leftOut?: number;
  /** Rem; below that a row is a card. Default: as much as columns of short words need. */
  readonly needs?: number;
  /** Its columns are many and alike: whoever holds it lets it scroll sideways, and no row becomes a card. */
  readonly wide?: boolean;
  keyOf(row: T): string;
  /** What unfolds below a row. */
  detail?(row: T): ComponentChildren;
  /** The id of what unfolds, for the button that does it. */
  detailId?(row: T): string;
};

type Sorting = { readonly column: number; readonly falling: boolean };

/** Every list of like things: a table where there is room, a card for each row where there is none. */
export function Table<T>(props: TableProps<T>) {
  const { rows, problem, columns } = props;
  const [sorting, setSorting] = useState<Sorting>();
  const [all, setAll] = useState(false);
  const room = useRef<HTMLDivElement>(null);
  const isNarrow = useNarrow(
    room,
    props.needs ?? columns.reduce((sum, { kind }) => sum + remOf[kind ?? 'text'], 0),
    rows === undefined || rows.length === 0,
  );
  if (rows === undefined)
    return (
      <p class={problem === undefined ? '' : 'empty'} role={problem === undefined ? undefined : 'status'}>
        {problem ?? <Unknown />}
      </p>
    );
  const ordered = inOrder(rows, columns, sorting);
  const shown = all || props.atOnce === undefined ? ordered : ordered.slice(0, props.atOnce);
  return (
    <>
      <Trouble text={problem} />
      {rows.length === 0 ? (
        <p class="empty">{props.empty}</p>
      ) : (
        <div ref={room} class={isNarrow && !props.wide ? 'table-cards' : undefined}>
          <table class="table">
            <caption class="visually-hidden">{props.name}</caption>
            <thead>
              <tr>
                {columns.map((column, place) => (
                  <Head
                    key={column.title}
                    column={column}
                    sorted={sorting?.column === place ? (sorting.falling ? 'descending' : 'ascending') : undefined}
                    onSort={() => setSorting({ column: place, falling: sorting?.column === place && !sorting.falling })}
                  />
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => (
                <Row key={props.keyOf(row)} row={row} table={props} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Rest hidden={ordered.length - shown.length} onAll={() => setAll(true)} table={props} />
    </>
  );
}

function Head<T>(props: { column: Column<T>; sorted: 'ascending' | 'descending' | undefined; onSort(): void }) {
  const { column, sorted } = props;
  return (
    <th scope="col" class={column.kind === 'figure' ? 'number' : undefined} aria-sort={sorted}>
      {column.kind === 'actions' ? (
        <span class="visually-hidden">{column.title}</span>
      ) : column.order === undefined ? (
        (column.head ?? column.title)
      ) : (
        <button type="button" class="sorter" title={`Order by ${column.title.toLowerCase()}`} onClick={props.onSort}>
          {column.head ?? column.title}
          <svg class={`sort-mark${sorted ? ` is-${sorted}` : ''}`} viewBox="0 0 8 8" aria-hidden="true">
            <path d="M1.5 5.5 4 2.5l2.5 3" />
          </svg>
        </button>
      )}
    </th>
  );
}

function Row<T>({ row, table }: { row: T; table: TableProps<T> }) {
  const detail = table.detail?.(row) ?? null;
  return (
    <>
      <tr class={detail === null ? undefined : 'is-open'}>
        {table.columns.map((column, at) => {
          const look = [
            column.kind === 'figure' ? 'number' : column.kind === 'actions' ? 'row-actions' : '',
            column.look?.(row) ?? '',
          ]
            .filter((one) => one !== '')
            .join(' ');
          const cell = { class: look === '' ? undefined : look, title: column.hint?.(row) };
          return at === 0 ? (
            <th key={column.title} scope="row" {...cell}>
              {column.cell(row)}
            </th>
          ) : (
            <td key={column.title} data-name={column.kind === 'actions' ? undefined : column.title} {...cell}>
              {column.cell(row)}
            </td>
          );
        })}
      </tr>
      {detail !== null && (
        <tr class="detail">
          <td class="detail-room" colSpan={table.columns.length} id={table.detailId?.(row)}>
            {detail}
          </td>
        </tr>
      )}
    </>
  );
}

/** What a column of usual length needs. */
const remOf = { text: 6.5, figure: 4, actions: 6.5 } as const;

/** Whether the room has less than so many rem; the room changes with the window and with what stands beside it. */
function useNarrow(room: RefObject<HTMLDivElement>, rem: number, isEmpty: boolean): boolean {
  const [isNarrow, setNarrow] = useState(false);
  useLayoutEffect(() => {
    const element = room.current;
    if (element === null) return undefined;
    const measure = (): void =>
      setNarrow(element.clientWidth < rem * Number.parseFloat(getComputedStyle(document.documentElement).fontSize));
    measure();
    const size = new ResizeObserver(measure);
    size.observe(element);
    return () => size.disconnect();
  }, [rem, isEmpty]);
  return isNarrow;
}

/** How the list goes on where it ends. */
function Rest<T>({ hidden, onAll, table }: { hidden: number; onAll(): void; table: TableProps<T> }) {
  const leftOut = table.leftOut ?? 0;
  if (hidden > 0)
    return (
      <p class="table-rest">
        <Action
          label={`Show ${formatCount(hidden)} more`}
          about={`Show ${formatCount(hidden)} more: ${table.name}`}
          onPress={onAll}
        />
      </p>
    );
  if (table.more !== undefined)
    return (
      <p class="table-rest">
        <Action label="Show older ones" about={`Show older ones: ${table.name}`} onPress={() => void table.more?.()} />
      </p>
    );
  if (table.isCut) return <p class="table-rest faint">There are older ones, which the API lists.</p>;
  return leftOut > 0 ? <p class="table-rest faint">{formatCount(leftOut)} more are not shown here.</p> : null;
}

/** Equal ones stay in the order in which they came. */
export function inOrder<T>(
  rows: readonly T[],
  columns: readonly Pick<Column<T>, 'order'>[],
  sorting: Sorting | undefined,
): readonly T[] {
  const by = sorting === undefined ? undefined : columns[sorting.column]?.order;
  if (sorting === undefined || by === undefined) return rows;
  const sign = sorting.falling ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [by(one), by(other)];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
    return sign * String(a).localeCompare(String(b), 'en', { numeric: true });
  });
}
