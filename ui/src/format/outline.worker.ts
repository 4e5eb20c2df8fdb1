import { outlineOf } from "./pipeline-outline";

/** Reads a document aside from the page, which goes on meanwhile. */
self.onmessage = ({ data }: MessageEvent<string>) => self.postMessage(outlineOf(data));
