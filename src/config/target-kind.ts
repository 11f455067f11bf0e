import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SettingValues } from './settings.ts';
import type { TargetStructure } from './target-config.ts';

export const targetKinds = ['lightrag', 'graphrag', 'custom'] as const;
export type TargetKind = (typeof targetKinds)[number];

/** How the kind came about: somebody said it, the folder or the file shows it, or nothing says otherwise. */
export type KindOrigin = 'settings' | 'detected' | 'default';

/** What a GraphRAG project has at its top; the settings alone could be anybody's. */
const projectSettings = ['settings.yaml', 'settings.yml', 'settings.json'];
const projectFolders = ['prompts', 'output', 'input'];

/** A folder that `graphrag init` or an index run made. Looks at names only. */
export const looksLikeGraphragProject = (folder: string): boolean =>
  projectSettings.some((name) => existsSync(join(folder, name))) &&
  projectFolders.filter((name) => existsSync(join(folder, name))).length >= 2;

/** @param workingDir absolute; looked at only where nobody said which kind it is */
export function decideKind(
  values: Pick<SettingValues, 'targetKind'>,
  structure: Pick<TargetStructure, 'custom'>,
  workingDir: string | undefined,
): { readonly kind: TargetKind; readonly from: KindOrigin } {
  if (values.targetKind !== undefined) return { kind: values.targetKind, from: 'settings' };
  if (structure.custom !== undefined) return { kind: 'custom', from: 'detected' };
  if (workingDir !== undefined && looksLikeGraphragProject(workingDir)) return { kind: 'graphrag', from: 'detected' };
  return { kind: 'lightrag', from: 'default' };
}
