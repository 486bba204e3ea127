// One clock for the page. The playing media element is the master; everything else asks it for the time.
// Without media (a saved track has none) the clock runs on the browser's own timer.

// A picture drawn at one refresh of the screen gets there at the next but one and stays for one: it is
// drawn for the middle of that time.
const SHOWN_AFTER = 2; // refreshes
const LONGEST = 200; // milliseconds between refreshes; what took longer says nothing about the next

export class Clock extends EventTarget {
  #media = null;
  #duration = 0;
  #rate = 1;
  #loop = false;
  #muted = false;
  #base = 0; // seconds at #since, for the clock without media
  #since = null; // performance.now() at which it started to run, null while paused
  #abort = null;
  #refreshed = 0; // when the screen last was, milliseconds
  #interval = 0; // between refreshes, a running mean

  /** Follow `media` (or nothing, for `duration` seconds) from its start. */
  attach(media, duration) {
    this.pause();
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#media = media;
    this.#duration = duration;
    this.#base = 0;
    this.#since = null;
    if (media) {
      const signal = this.#abort.signal;
      for (const name of ["play", "pause", "ended", "seeked", "loadedmetadata"]) {
        media.addEventListener(name, () => this.#changed(), { signal });
      }
      media.preservesPitch = true;
      media.currentTime = 0;
    }
    this.rate = this.#rate;
    this.loop = this.#loop;
    this.muted = this.#muted;
    this.#changed();
  }

  get time() {
    if (this.#media) return Math.min(this.#media.currentTime, this.duration);
    if (this.#since === null) return this.#base;
    const elapsed = this.#base + ((performance.now() - this.#since) / 1000) * this.#rate;
    if (elapsed < this.#duration) return elapsed;
    if (this.#loop) return elapsed % this.#duration;
    this.#base = this.#duration;
    this.#since = null;
    queueMicrotask(() => this.#changed());
    return this.#duration;
  }

  /** The moment to draw at refresh `now` of the screen: the one that is heard when the picture is seen. */
  timeToDraw(now) {
    this.#interval += (Math.min(LONGEST, now - this.#refreshed) - this.#interval) / 8;
    this.#refreshed = now;
    const { time } = this;
    if (!this.playing) return time;
    return Math.min(this.#duration, time + ((SHOWN_AFTER * this.#interval) / 1000) * this.#rate);
  }

  get duration() {
    return this.#duration;
  }

  get playing() {
    return this.#media ? !this.#media.paused && !this.#media.ended : this.#since !== null;
  }

  /** Resolves to false where the browser wants a click first. */
  async play() {
    if (this.#duration === 0) return false;
    if (this.time >= this.#duration - 1e-3) this.seek(0);
    if (this.#media) {
      try {
        await this.#media.play();
      } catch {
        return false;
      }
    } else {
      this.#since = performance.now();
    }
    this.#changed();
    return true;
  }

  pause() {
    this.#base = this.time;
    this.#since = null;
    this.#media?.pause();
    this.#changed();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  seek(seconds) {
    const time = Math.max(0, Math.min(this.#duration, seconds));
    if (this.#media) this.#media.currentTime = time;
    this.#base = time;
    if (this.#since !== null) this.#since = performance.now();
    this.#changed();
  }

  get rate() {
    return this.#rate;
  }

  set rate(rate) {
    if (!this.#media && this.#since !== null) {
      this.#base = this.time;
      this.#since = performance.now();
    }
    this.#rate = rate;
    if (this.#media) this.#media.playbackRate = rate;
    this.#changed();
  }

  get loop() {
    return this.#loop;
  }

  set loop(loop) {
    this.#loop = loop;
    if (this.#media) this.#media.loop = loop;
    this.#changed();
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.#media) this.#media.muted = muted;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
