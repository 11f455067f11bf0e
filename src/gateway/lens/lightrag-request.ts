import type { OperationClass } from '../observation.ts';
import type { Picked } from './json-picker.ts';
import type { LightragRoute } from './lightrag-routes.ts';

/** What a request wants, as far as its body was read. */
export type Asked = { readonly operation: OperationClass; readonly mode: string | null; readonly stream: boolean };

const modes: ReadonlySet<string> = new Set(['local', 'global', 'hybrid', 'naive', 'mix', 'bypass']);
const defaultMode = 'mix';

const isTrue = (picked: ReadonlyMap<string, Picked>, name: string): boolean => picked.get(name)?.kind === 'true';

/** `/query`, `/query/stream`, `/query/data`: retrieval alone is a search, and no retrieval a plain call of the model. */
export function readQuery(route: LightragRoute, picked: ReadonlyMap<string, Picked>): Asked {
  const written = picked.get('mode');
  const mode = written?.kind !== 'string' ? defaultMode : modes.has(written.text) ? written.text : 'other';
  const streams = picked.get('stream')?.kind !== 'false' && route.route.endsWith('/stream');
  const onlyRetrieves = isTrue(picked, 'only_need_context') || isTrue(picked, 'only_need_prompt');
  const operation = onlyRetrieves
    ? 'search'
    : mode === 'bypass' && route.operation === 'query'
      ? 'llm'
      : route.operation;
  return { operation, mode, stream: streams };
}

/** `/local …`, `/mixcontext …`, `/context …`, `/hybrid[more instructions] …`, as the server takes it apart. */
const prefix = /^\/(local|global|hybrid|naive|mix|bypass)?(context)?(?=[\s[]|$)/;
/** How Open WebUI asks for titles and tags; the server hands it to the model as it is. */
const aboutTheChat = '\n<chat_history>\nUSER:';

/** `/api/chat` and `/api/generate`; a chat streams unless told otherwise. */
export function readChat(route: LightragRoute, picked: ReadonlyMap<string, Picked>): Asked {
  const isChat = route.operation === 'query';
  const stream = isChat ? picked.get('stream')?.kind !== 'false' : isTrue(picked, 'stream');
  if (!isChat) return { operation: 'llm', mode: null, stream };
  const text = picked.get('messages.*.content')?.text ?? '';
  const [, written, context] = prefix.exec(text) ?? [];
  if (written === 'bypass') return { operation: 'llm', mode: 'bypass', stream };
  if (text.includes(aboutTheChat)) return { operation: 'llm', mode: null, stream };
  return { operation: context === undefined ? 'query' : 'search', mode: written ?? defaultMode, stream };
}
