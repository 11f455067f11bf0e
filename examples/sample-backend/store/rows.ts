// Rows of the key-value files, field by field in the order LightRAG writes them.

export type Shape = '1.5' | '1.4';

export type DocumentStatus =
  | 'pending'
  | 'parsing'
  | 'analyzing'
  | 'processing'
  | 'preprocessed'
  | 'processed'
  | 'failed';

/** Seconds since the epoch, and the key again: the end of every row but those of doc_status. */
export type RowTail = { create_time: number; update_time: number; _id: string };

export type ChunkOptions = {
  chunk_token_size: number;
  fixed_token: {
    split_by_character: string | null;
    split_by_character_only: boolean;
    chunk_overlap_token_size: number;
  };
};

export type FullDocRow = {
  content: string;
  file_path: string;
  parse_format?: 'raw' | 'lightrag' | 'pending_parse';
  parse_engine?: string;
  content_hash?: string;
  process_options?: string;
  chunk_options?: ChunkOptions;
} & RowTail;

export type TextChunkRow = {
  tokens: number;
  content: string;
  chunk_order_index: number;
  full_doc_id: string;
  file_path: string;
  llm_cache_list: string[];
} & RowTail;

export type DocumentMetadata = Record<string, string | number | boolean | null>;

export type DocStatusRow = {
  status: DocumentStatus;
  content_summary: string;
  content_length: number;
  created_at: string;
  updated_at: string;
  file_path: string;
  track_id: string | null;
  content_hash?: string;
  metadata: DocumentMetadata;
  error_msg?: string;
  chunks_count?: number;
  chunks_list?: string[];
};

export type FullEntitiesRow = { entity_names: string[]; count: number } & RowTail;
export type FullRelationsRow = { relation_pairs: [string, string][]; count: number } & RowTail;
export type ChunkListRow = { chunk_ids: string[]; count: number } & Omit<RowTail, 'create_time'> & Partial<RowTail>;

export type CacheRow = {
  return: string;
  cache_type: 'extract' | 'summary' | 'keywords' | 'query';
  chunk_id: string | null;
  original_prompt: string;
  queryparam: Record<string, string | number | boolean | null> | null;
} & RowTail;
