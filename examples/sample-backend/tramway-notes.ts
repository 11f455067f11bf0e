// The notes of a small city's tramway: what the sample workspace is about. Every place, line and thing is made up, nobody is
// named, and the same number always gives the same note.

export type Note = { readonly fileName: string; readonly content: string };

const firsts =
  'Harbour Quay Mill Market Abbey Orchard Lantern Copper Willow Granary Observatory Bell Chapel Meadow Foundry Cannery Museum Garden Castle River Station North South East West Upper Lower Old New Long Glass Salt Rope Paper Brick Amber Silver Stone Hazel Linden'.split(
    ' ',
  );
const seconds =
  'Square Gate Bridge Lane Street Hill Park Wharf Corner Terrace Yard Market Crossing Steps Court Row Green Terminus'.split(
    ' ',
  );
const things = [
  'Overhead Wire',
  'Points Heater',
  'Sanding Gear',
  'Track Brake',
  'Pantograph Strip',
  'Signal Relay',
  'Door Motor',
  'Rail Joint',
  'Drain Grate',
  'Feeder Cabinet',
  'Stop Shelter',
  'Ticket Machine',
  'Wheel Lathe',
  'Snow Plough',
  'Switch Blade',
  'Platform Lamp',
];
const causes = [
  'after a week of frost',
  'because leaves lay on the rails',
  'when the market closed late',
  'during the spring flood',
  'after the night works',
  'because a delivery van stood on the track',
  'on the hottest day of the year',
  'while the fair was in town',
];
const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const subjects = ['morning report', 'inspection', 'timetable note', 'works order', 'incident summary', 'stop survey'];

/** A small generator of numbers (mulberry32): enough to choose words, the same everywhere. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type NoteStyle = {
  /** How long a note is: a sentence has about 110 characters. */
  readonly sentences: number;
  /** How many places the notes speak of, at most 738: few places make few entities that many notes share. */
  readonly places: number;
  /** File names and places with everything a name may hold. */
  readonly unicode: boolean;
};

export function writeNote(seed: number, index: number, { sentences, places, unicode }: NoteStyle): Note {
  const next = numbers(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)] as Item; // never empty
  const number = `${index + 1}`.padStart(4, '0');
  const foreign = foreignNotes[index % foreignNotes.length];
  if (foreign !== undefined && index % 10 === 2) {
    const content = foreign.sentences(Math.min(sentences, 4 + Math.floor(next() * 3))).join(foreign.joiner);
    return { fileName: fileName(`${number} ${foreign.name}.txt`, index, unicode), content };
  }
  const subject = pick(subjects);
  const line = `Line ${1 + Math.floor(next() * 9)}`;
  let last = -1;
  // Never the same place twice in a row: a line does not run from a stop to itself.
  const place = (): string => {
    const drawn = Math.floor(next() * places);
    last = drawn === last ? (drawn + 1) % places : drawn;
    const at = last + (seed % 738);
    return `${firsts[at % firsts.length]} ${seconds[(at + Math.floor(at / firsts.length)) % seconds.length]}`;
  };
  const home = place();
  const depot = `${pick(['Quay', 'North', 'Mill', 'Orchard'])} Depot`;
  const said = [`This ${subject} is about ${line} and the stops between ${home} and ${place()}.`];
  const kinds: readonly (() => string)[] = [
    () => `The early car of ${line} leaves ${depot} before six and reaches ${place()} with ${count()} riders on board.`,
    () => `At ${place()} the ${pick(things)} was replaced ${pick(causes)}, and ${depot} keeps the old one for tests.`,
    () =>
      `Cars wait ${count()} seconds at ${place()} so that those who come from ${place()} can change to Line ${digit()}.`,
    () => `The crew found the ${pick(things)} near ${home} worn ${pick(causes)} and told Tram Control at once.`,
    () => `Every ${pick(weekdays)} the works car measures the rails from ${place()} to ${place()}.`,
    () =>
      `A ${pick(things)} at ${place()} failed ${pick(causes)}; ${line} turned back at ${home} for ${count()} minutes.`,
    () =>
      `Riders at ${place()} asked for a Stop Shelter, and the ${pick(things)} there is listed for the next works order.`,
    () =>
      `Between ${home} and ${place()} the limit is ${count()} kilometres an hour until the ${pick(things)} is tested.`,
    () => `Tram Control holds Car ${100 + count()} at ${depot} as a reserve for Line ${digit()} and ${line}.`,
  ];
  function count(): number {
    return 5 + Math.floor(next() * 60);
  }
  function digit(): number {
    return 1 + Math.floor(next() * 9);
  }
  while (said.length < sentences) said.push(pick(kinds)());
  if (unicode && index % 3 === 1) said.push(oddNames[Math.floor(index / 3) % oddNames.length] ?? '');
  // A blank line now and then, as people write.
  const content = said.map((sentence, at) => `${sentence}${at % 6 === 5 ? '\n\n' : ' '}`).join('');
  return {
    fileName: fileName(`${number} ${subject} ${line.toLowerCase()}.txt`, index, unicode),
    content: content.trim(),
  };
}

function fileName(plain: string, index: number, unicode: boolean): string {
  if (!unicode) return plain.replaceAll(' ', '-');
  const odd = ['naïve café', 'крыша', '電停', 'ꜩ 🚋', 'e\u0301 decomposed', 'quo"te & <tag>', "it's 100%", 'عربة'];
  return `${odd[index % odd.length]} ${plain}`;
}

const oddNames = [
  'The crew calls the curve «Élan & <Ample>» and writes «Зелёная "Горка"» on the map of Line 3.',
  'A sign reads 「港門🚋」 beside 「水車広場」 at the far end of Line 7.',
  'Old maps show «سكة الميناء» and «e\u0301toile» near Quay Depot.',
];

type Foreign = { readonly name: string; readonly joiner: string; sentences(count: number): string[] };

const foreignNotes: readonly Foreign[] = [
  {
    name: '電停だより',
    joiner: '',
    sentences: (count) =>
      [
        '始発の電車は「埠頭車庫」を五時半に出て「港門」へ向かう。',
        '「港門」では「水車広場」からの乗り換えを一分待つ。',
        '雪の朝は「転てつ器」の前で止まり、砂をまいてから進む。',
        '「水車広場」の待合所は秋までに新しくなる。',
        '運転指令は「埠頭車庫」に予備の一両を置いている。',
        '夜の工事は「港門」と「古い橋」の間で行われる。',
      ].slice(0, count),
  },
  {
    name: 'σημείωση στάσης',
    joiner: ' ',
    sentences: (count) =>
      [
        'Το πρώτο τραμ φεύγει από το Αμαξοστάσιο Λιμανιού και περνά από την Παλιά Γέφυρα.',
        'Στην Πλατεία Μύλου περιμένει όσους έρχονται από την Παλιά Γέφυρα.',
        'Μετά τον παγετό το συνεργείο ελέγχει τα κλειδιά κοντά στην Πλατεία Μύλου.',
        'Η στάση Κήπος Μουσείου θα αποκτήσει νέο στέγαστρο.',
        'Το Αμαξοστάσιο Λιμανιού κρατά ένα όχημα για την Πλατεία Μύλου.',
        'Οι νυχτερινές εργασίες αρχίζουν στην Παλιά Γέφυρα.',
      ].slice(0, count),
  },
  {
    name: 'заметка о линии',
    joiner: ' ',
    sentences: (count) =>
      [
        'Утром первый вагон выходит из депо Портовое и идёт к площади Мельничная.',
        'У остановки Старый Мост вагон ждёт пересадку с площади Мельничная.',
        'После мороза бригада проверяет стрелки у остановки Старый Мост.',
        'Новый навес появится у остановки Музейный Сад.',
        'В депо Портовое стоит запасной вагон для линии через Старый Мост.',
        'Ночные работы идут между Старый Мост и Музейный Сад.',
      ].slice(0, count),
  },
];
