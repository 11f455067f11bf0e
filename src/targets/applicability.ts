import type { TargetKind } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Target } from './target.ts';

/** What ragwarden does for LightRAG alone. */
export const limitedFeatures = ['documents', 'canary', 'content-audit', 'workspaces'] as const;
export type LimitedFeature = (typeof limitedFeatures)[number];

const reasons: Readonly<Record<LimitedFeature, string>> = {
  documents: 'documents are followed by the calls of a LightRAG server',
  canary: 'the canary asks by the calls of a LightRAG server',
  'content-audit': 'what refers to what is known of LightRAG’s stores alone',
  workspaces: 'one target of this kind is one graph',
};

export const findLimits = (
  kind: TargetKind,
): readonly { readonly feature: LimitedFeature; readonly reason: string }[] =>
  kind === 'lightrag' ? [] : limitedFeatures.map((feature) => ({ feature, reason: reasons[feature] }));

/** @throws AppError `target/not-applicable` */
export function requireFeature({ id, kind }: Pick<Target, 'id' | 'kind'>, feature: LimitedFeature): void {
  if (kind === 'lightrag') return;
  throw new AppError(
    'target/not-applicable',
    `There is no such thing for ${id}, a target of the kind ${kind}: ${reasons[feature]}.`,
  );
}
