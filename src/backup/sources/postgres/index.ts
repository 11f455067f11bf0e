/** A PostgreSQL database as a component of a point. */
export { type PostgresDetails, requireDetails } from './details.ts';
export { createPostgresSource } from './postgres-source.ts';
