// One clock for all videos of a clip: the first of them that plays. Others that run ahead or behind are slowed or
// hurried until they agree with it, and set right at once if they are far off. With no video the page's own time counts.
class Player {
  constructor(onframe) {
    Object.assign(this, { onframe, videos: [], fps: 25, frames: 1, speed: 1, playing: false, at: 0, since: 0, turn: 0 });
  }

  /** Other videos; the clock stands at a frame until somebody plays. */
  load(videos, fps, frames, frame = 0) {
    this.turn++;
    this.videos.forEach((v) => v.pause());
    Object.assign(this, { videos, fps, frames, playing: false, at: this.middle(Math.min(frame, frames - 1)) });
    this.gather();
    this.onframe(this.frame);
  }

  get time() {
    if (!this.playing) return this.at;
    const lead = this.lead;
    return lead ? lead.currentTime : this.at + (performance.now() - this.since) / 1000 * this.speed;
  }

  get lead() {
    return this.videos.find((v) => !v.error && v.readyState >= 2);
  }

  get frame() {
    return Math.max(0, Math.min(this.frames - 1, Math.floor(this.time * this.fps + 1e-6)));
  }

  middle(frame) {
    return (frame + 0.5) / this.fps; // half a frame from both its neighbours
  }

  seek(frame) {
    const on = this.playing;
    this.stop();
    this.at = this.middle(Math.max(0, Math.min(this.frames - 1, frame)));
    this.gather();
    this.onframe(this.frame);
    if (on) this.play();
  }

  async play() {
    const turn = ++this.turn;
    if (this.frame >= this.frames - 1) this.at = 0;
    this.pending = true;
    await this.gather();
    if (turn !== this.turn) return; // somebody has done something else meanwhile
    this.pending = false;
    this.playing = true;
    this.since = performance.now();
    this.videos.forEach((v) => { v.playbackRate = this.speed; v.play().catch(() => {}); });
    this.tick(turn);
  }

  pause() {
    const frame = this.frame;
    this.stop();
    this.at = this.middle(frame);
    this.gather();
    this.onframe(frame);
  }

  setSpeed(speed) {
    this.at = this.time;
    this.since = performance.now();
    this.speed = speed;
    this.videos.forEach((v) => { v.playbackRate = speed; });
  }

  stop() {
    this.turn++;
    this.at = this.time;
    this.playing = this.pending = false;
    this.videos.forEach((v) => v.pause());
  }

  /** Brings all videos to the clock's time; settles when each shows its frame. */
  gather() {
    const time = this.at;
    return Promise.all(this.videos.map((v) => new Promise((done) => {
      const set = () => this.show(v, time).then(done);
      v.addEventListener("error", done, { once: true });
      setTimeout(done, 2000); // a video that cannot be read holds up no other
      if (v.readyState >= 2) set(); else v.addEventListener("loadeddata", set, { once: true });
    })));
  }

  /** Brings one video to a time; settles when it shows that frame. */
  show(v, time) {
    return new Promise((done) => {
      if (!v.requestVideoFrameCallback) {
        v.addEventListener("seeked", done, { once: true });
        v.currentTime = time;
        return;
      }
      // A browser may say that it has sought a frame and go on showing the one before: it is asked again, a hair later.
      let tries = 0, shown = false;
      const seek = () => {
        if (shown || tries > 8 || this.playing || Math.abs(this.at - time) > 1e-9) return done();
        v.currentTime = time + 1e-4 * tries++;
        setTimeout(seek, 250);
      };
      const look = (_, { mediaTime }) => {
        shown = Math.abs(mediaTime - time) < 1 / this.fps;
        if (shown) done(); else v.requestVideoFrameCallback(look);
      };
      v.requestVideoFrameCallback(look);
      seek();
    });
  }

  tick(turn) {
    if (turn !== this.turn || !this.playing) return;
    const time = this.time, lead = this.lead;
    if (lead?.ended || time >= this.frames / this.fps - 1e-3) {
      this.stop();
      this.at = 0;
      this.play();
      return;
    }
    for (const v of this.videos) {
      const ahead = v.currentTime - time, frame = 1 / this.fps;
      if (v === lead || v.seeking || v.ended) continue;
      if (Math.abs(ahead) > 6 * frame * Math.max(1, this.speed)) v.currentTime = time;
      else if (Math.abs(ahead) > 0.3 * frame) v.playbackRate = this.speed * Math.max(0.7, Math.min(1.4, 1 - 4 * ahead));
      else if (v.playbackRate !== this.speed && Math.abs(ahead) < 0.1 * frame) v.playbackRate = this.speed;
    }
    this.onframe(this.frame);
    requestAnimationFrame(() => this.tick(turn));
  }
}
