import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { ApiClient } from './api-client.ts';
import type { CommandContext } from './cli.ts';
import { followOperation } from './follow-operation.ts';
import { createTerminal } from './terminal.ts';
