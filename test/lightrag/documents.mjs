// What the recordings ingest. Names repeat across documents, so that entities merge; some are not ASCII.

export const harbour = {
  source: 'harbour.txt',
  text: 'The Skagen Lighthouse guards the Kattegat. The Kattegat joins the Baltic Sea. Ships from Göteborg pass the Skagen Lighthouse at night.',
};

export const rivers = {
  source: 'flüsse-und-städte.txt',
  text: 'Die Spree fließt durch Köpenick nach Spandau. Bei Spandau erreicht die Spree die Havel. Über die Havel führt die Glienicker Brücke.',
};

export const tokyo = {
  source: '東京の川.txt',
  text: '「隅田川」は「東京湾」へ流れる。「荒川」と「隅田川」は北区で分かれる。',
};

export const cafe = {
  source: 'café menu ☕.md',
  text: 'Café Æther serves Smørrebrød & Crème Brûlée. Crème Brûlée comes from Paris "as always". Café Æther stands beside the Kattegat.',
};

export const upload = {
  source: 'observatory.txt',
  text: 'The Round Tower holds the Old Observatory. The Old Observatory looks over Øresund. Øresund joins the Kattegat and the Baltic Sea.',
};

export const later = ['Alpine Pass', 'Copper Mine', 'Salt Road', 'Glass Works', 'Amber Coast'].map((name, i) => ({
  source: `later-${i + 1}.txt`,
  text: `${name} lies on the Amber Route. The Amber Route leads from ${name} to the Baltic Sea.`,
}));

export const hitQuery = 'What does the Skagen Lighthouse guard in the Kattegat?';
