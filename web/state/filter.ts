import type { FilterName } from './filters.ts';
import { changeUrl, urlState } from './url.ts';

/** What a list is narrowed to, kept in the address. @param known words that mean something; what else stands there is as if nothing did */
export function useFilter<Word extends string>(
  name: FilterName,
  known?: readonly Word[],
): readonly [Word | '', (value: string) => void] {
  const said = urlState.value.filters[name] ?? '';
  const value = known === undefined ? (said as Word) : (known.find((one) => one === said) ?? ''); // any word is one
  return [value, (next) => changeUrl({ filters: { ...urlState.peek().filters, [name]: next } }, { replace: true })];
}

/** For what is either shown or not. */
export function useSwitch(name: FilterName, word: string): readonly [boolean, (on: boolean) => void] {
  const [value, set] = useFilter(name, [word]);
  return [value === word, (on) => set(on ? word : '')];
}
