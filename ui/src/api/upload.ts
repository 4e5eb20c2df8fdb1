import { ApiError } from "./error";

export interface Upload {
  address: string;
  mediaType: string;
  body: Blob;
  /** Told how many bytes have been sent. */
  onProgress: (sent: number) => void;
  signal: AbortSignal;
}

/**
 * Sends a body whose way can be watched, which `fetch` does not tell of. Answers the parsed answer; what is refused is an
 * `ApiError`.
 */
export function upload<T>({ address, mediaType, body, onProgress, signal }: Upload): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Content-Type", mediaType);
    request.setRequestHeader("X-Levada-CSRF", "1");
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      const isDone = request.status >= 200 && request.status < 300;
      if (isDone) return resolve(JSON.parse(request.responseText) as T);
      const headers = new Headers({ "retry-after": request.getResponseHeader("retry-after") ?? "" });
      const answer = new Response(request.responseText, { status: request.status, headers });
      return void ApiError.of(answer).then(reject);
    };
    request.onerror = () => reject(ApiError.unreachable(new Error("The connection broke.")));
    request.onabort = () => reject(new ApiError(0, "cancelled", "The upload was cancelled."));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}
