/**
 * Looks into the files of a LightRAG workspace (default storages): are they whole, do they belong together, what do they hold.
 * Owns no tables. Invariants: it only reads; its memory does not grow with the files; what was not read is not called good.
 */
export { createInspector, type InspectOptions, type Inspector } from './inspector.ts';
export { createJsonScanner, type JsonValue } from './json-scanner.ts';
export type {
  InspectedFile,
  InspectedFileState,
  InspectionFault,
  InspectionFaultCode,
  InspectionReport,
  VectorDimension,
} from './report.ts';
export { storeFiles } from './workspace-files.ts';
