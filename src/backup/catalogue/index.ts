/**
 * The catalogue against the repository: what each knows that the other does not, and how one is made from the other.
 * Invariants: the repository says which points exist; no row is deleted and none that was forgotten comes back; what cannot be in
 * a manifest travels as tags of its snapshot.
 */
export { type Catalogue, createCatalogue } from './catalogue.ts';
export { catalogueReport } from './catalogue-report.ts';
export { factsOfTags, rejectedTag, tagChanges as factTagChanges } from './facts.ts';
export { markRejected, noteFacts } from './note-facts.ts';
export { readRepository } from './read-repository.ts';
export { type CatalogueDeps, rebuildCatalogue, requireRepository } from './rebuild-catalogue.ts';
