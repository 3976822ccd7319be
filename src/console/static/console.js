// Keeps a page fresh: times that count, parts that change. Without it, the same pages work by
// reloading them.

const CLOCK = 1000;
const SETTLE = 80;
const RETRY = 4000;
const HIDDEN_POLL = 15000;

// --- Times -------------------------------------------------------------------------------------

const serverTime = document.querySelector('meta[name="holdpoint-now"]');
const skew = serverTime ? Date.parse(serverTime.content) - Date.now() : 0;

function span(seconds) {
  const [s, m, h] = [seconds % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600)];
  if (seconds < 60) return `${s} s`;
  if (seconds < 600) return `${m} min ${String(s).padStart(2, "0")} s`;
  if (h < 1) return `${m} min`;
  if (h < 48) return `${h} h ${m} min`;
  return `${Math.floor(h / 24)} days`;
}

function showTime(time) {
  if (!time.title) time.title = time.textContent;
  const seconds = Math.round((Date.parse(time.dateTime) - Date.now() - skew) / 1000);
  const past = Math.max(0, -seconds);
  if (time.dataset.relative === "until") {
    time.textContent = seconds > 0 ? `in ${span(seconds)}` : "now";
    time.classList.toggle("soon", seconds < 120);
  } else {
    time.textContent = past < 5 ? "just now" : `${span(past)} ago`;
  }
}

function showTimes() {
  document.querySelectorAll("time[data-relative]").forEach(showTime);
}

showTimes();
setInterval(showTimes, CLOCK);

// --- The part that changes ---------------------------------------------------------------------

const part = () => document.querySelector("[data-live]");
const request = document.querySelector("[data-request]")?.dataset.request;
const announcer = document.getElementById("announcer");
const liveState = document.getElementById("live-state");

let lastText = "";
let isLoading = false;
let isStale = false;

async function refresh() {
  if (isLoading) {
    isStale = true;
    return;
  }
  isLoading = true;
  try {
    const response = await fetch(part().dataset.live, { redirect: "manual", cache: "no-store" });
    if (response.type === "opaqueredirect" || response.status === 404) {
      // Signed out, or not ours to see any more: the page itself says so.
      location.reload();
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const text = await response.text();
    if (text !== lastText) swap(text);
    lastText = text;
    showConnection(true);
  } catch {
    showConnection(false);
  } finally {
    isLoading = false;
    if (isStale) {
      isStale = false;
      schedule();
    }
  }
}

function swap(text) {
  const before = part();
  const after = new DOMParser().parseFromString(text, "text/html").querySelector("[data-live]");
  if (!after) return;
  // Nothing new: what was typed, and what the server said about it, stays.
  if (after.dataset.version && after.dataset.version === before.dataset.version) return;
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  for (const typed of before.querySelectorAll("textarea")) {
    const same = after.querySelector(`#${CSS.escape(typed.id)}`);
    if (same) same.value = typed.value;
  }
  for (const opened of before.querySelectorAll("details[open]")) {
    const same = after.querySelector(`#${CSS.escape(opened.id)}`);
    if (same) same.open = true;
  }
  const known = new Set(ids(before));
  after.querySelectorAll("[data-id]").forEach((card) => {
    if (!known.has(card.dataset.id)) card.classList.add("fresh");
  });
  before.replaceWith(after);
  showTimes();
  refocus(focused, after);
  if (request) announceState(before, after);
  else announceQueue(before, after);
}

// What had the focus keeps it; where that is gone, the focus stays near instead of being lost.
function refocus(focused, after) {
  if (!focused) return;
  const same = focused.id && document.getElementById(focused.id);
  if (same) {
    same.focus({ preventScroll: true });
    if (same.setSelectionRange) same.setSelectionRange(focused.selectionStart, focused.selectionEnd);
  } else {
    const button = focused.type === "submit" && after.querySelector(`button.${focused.className}`);
    (button || document.getElementById("main")).focus({ preventScroll: true });
  }
}

function ids(element, section = "") {
  return [...element.querySelectorAll(`${section} [data-id]`)].map((card) => card.dataset.id);
}

function announceQueue(before, after) {
  const count = Number(after.dataset.count);
  document.title = count ? `(${count}) holdpoint` : "holdpoint";
  const yours = '[aria-labelledby="yours"]';
  const [were, are] = [ids(before, yours), ids(after, yours)];
  const arrived = are.filter((id) => !were.includes(id)).length;
  const gone = were.filter((id) => !are.includes(id)).length;
  const news = [];
  if (arrived) news.push(arrived === 1 ? "1 new request" : `${arrived} new requests`);
  if (gone) news.push(gone === 1 ? "1 request decided" : `${gone} requests decided`);
  if (news.length) announce(`${news.join(", ")}. ${count} waiting for your decision.`);
}

function announceState(before, after) {
  if (before.dataset.state !== after.dataset.state) announce(`The request is now ${after.dataset.state}.`);
}

function announce(text) {
  announcer.textContent = text;
}

function showConnection(isLive) {
  if (!liveState) return;
  liveState.hidden = false;
  liveState.classList.toggle("lost", !isLive);
  liveState.textContent = isLive ? "Live" : "Connection lost, trying again";
}

// --- News from the server ----------------------------------------------------------------------

let timer = 0;
let source = null;

function schedule(delay = SETTLE) {
  clearTimeout(timer);
  timer = setTimeout(refresh, delay);
}

function listen() {
  source?.close();
  source = new EventSource("/events");
  source.addEventListener("refresh", () => schedule(0));
  source.addEventListener("changed", (event) => {
    if (!request || event.data === request) schedule();
  });
  source.onerror = () => {
    showConnection(false);
    if (source.readyState === EventSource.CLOSED) {
      // Refused, not interrupted: signed out, which refreshing finds out, or out of order.
      schedule(0);
      setTimeout(() => document.hidden || listen(), RETRY);
    }
  };
}

// Browsers open few connections to one host: a page that nobody looks at gives its own back, and
// asks now and then, for the number in its title.
let poll = 0;

function follow() {
  clearInterval(poll);
  if (document.hidden) {
    source?.close();
    poll = setInterval(refresh, HIDDEN_POLL);
  } else {
    listen();
  }
}

if (part()) {
  document.addEventListener("visibilitychange", follow);
  follow();
}

// --- Forms -------------------------------------------------------------------------------------

// A second click sends nothing; the server would answer it with "already settled".
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});
