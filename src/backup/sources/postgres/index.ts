/** A PostgreSQL database as a component of a point. */
export { createPostgresSource } from './postgres-source.ts';
