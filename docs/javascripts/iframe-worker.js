// Where a page is opened as a file, browsers refuse workers: the search then runs in a hidden frame.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      const own = document.createElement("script");
      own.src = url;
      const answering = "<script>window.postMessage = (data) => window.frameElement.worker.answer(data);</scr" + "ipt>";
      this.frame.srcdoc = answering + own.outerHTML;
      this.frame.worker = this;
      this.frame.addEventListener("load", () => {
        const waited = this.waiting;
        this.waiting = null;
        waited.forEach((data) => this.postMessage(data));
      });
      const put = () => document.body.append(this.frame);
      document.body ? put() : addEventListener("DOMContentLoaded", put);
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
    answer(data) {
      this.dispatchEvent(new MessageEvent("message", { data }));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
