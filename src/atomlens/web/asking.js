// Asking the server: every request brings the token, long work shows its progress and can be stopped.

const start = JSON.parse(document.getElementById("start").textContent);

class Refused extends Error {}

class Stopped extends Refused {}

/** @param {string} path @param {{ method?: string, body?: any, signal?: AbortSignal }} options */
async function request(path, { method = "GET", body, signal } = {}) {
  const headers = { "x-atomlens-token": start.token };
  let content = body;
  if (body !== undefined && !(body instanceof FormData)) {
    headers["content-type"] = "application/json";
    content = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: content, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The application does not answer; it has ended, or is busy. Start `atomlens view` again.");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => null);
    throw new Refused(typeof told?.detail === "string" ? told.detail : `The application answered ${answer.status}.`);
  }
  return answer;
}

/** @param {string} path @param {{ method?: string, body?: any }} [options] */
async function ask(path, options) {
  const answer = await request(path, options);
  return answer.status === 204 ? null : answer.json();
}

class Work {
  constructor() {
    this.running = new Map();
    $("work-stop").addEventListener("click", () => this.stop());
  }

  // post a question and return what comes of it, however long it takes
  async result(path, body, { method = "POST", quiet = false } = {}) {
    let job = await ask(path, { method, body });
    const known = { quiet, job };
    try {
      while (job.state === "waiting" || job.state === "running") {
        known.job = job;
        this.running.set(job.id, known);
        this.show();
        job = await ask(`api/jobs/${job.id}?wait=0.4`);
      }
    } finally {
      this.running.delete(job.id);
      this.show();
    }
    if (job.state === "stopped") throw new Stopped("Stopped.");
    if (job.state === "failed") throw new Refused(job.error);
    return job.result;
  }

  show() {
    const jobs = [...this.running.values()].filter((known) => !known.quiet).map((known) => known.job);
    $("work").hidden = jobs.length === 0;
    if (!jobs.length) return;
    const job = jobs[jobs.length - 1], bar = $("work-bar");
    $("work-note").textContent = `${job.note || "working"} …`;
    if (job.total) { bar.max = job.total; bar.value = job.done; } else bar.removeAttribute("value");
    $("work-count").textContent = job.total ? `${job.done} of ${job.total}` : job.done ? String(job.done) : "";
  }

  stop() {
    for (const id of this.running.keys()) ask(`api/jobs/${id}`, { method: "DELETE" }).catch(() => {});
  }
}

// messages that stay until they are read
function tell(text, { kind = "error", names = [] } = {}) {
  const close = element("button", { type: "button", "aria-label": "Dismiss this message" }, "×");
  const list = names.length ? [element("ul", {}, ...names.map((line) => element("li", {}, ...prose(line))))] : [];
  const box = element("div", { class: `message ${kind}`, role: kind === "error" ? "alert" : "note" }, element("div", {}, element("p", {}, ...prose(text)), ...list), close);
  close.addEventListener("click", () => { box.remove(); $("text").focus(); });
  $("messages").prepend(box);
  while ($("messages").children.length > 6) $("messages").lastChild.remove();
}

async function download(path, name) {
  try {
    const answer = await request(path);
    save(await answer.blob(), "", name);
  } catch (error) {
    tell(error.message);
  }
}
