/** Lines differ in their dashes too, so that nothing is told by colour alone. */
const dashes: readonly (readonly number[])[] = [
  [],
  [8, 4],
  [2, 3],
  [10, 4, 2, 4],
  [14, 4],
  [5, 2, 1, 2],
  [1, 4],
  [8, 3, 2, 3, 2, 3],
];

export const dashOf = (place: number): readonly number[] =>
  // The second time round the colours meet other dashes.
  dashes[(place + Math.floor(place / dashes.length)) % dashes.length]!;

/** The custom property that holds the colour. */
export const colourOf = (place: number): string => `--series-${(place % dashes.length) + 1}`;

export function LineSample({ place }: { place: number }) {
  return (
    <svg class={`line-sample is-series-${(place % dashes.length) + 1}`} viewBox="0 0 28 8" aria-hidden="true">
      <path d="M0 4H28" stroke-dasharray={dashOf(place).join(' ')} />
    </svg>
  );
}
