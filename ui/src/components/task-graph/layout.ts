/** More tasks than this are no picture any more: those around one of them are drawn. */
export const DRAWN_MAX = 200;
export const NODE_WIDTH = 220;
export const NODE_HEIGHT = 58;

export interface LayoutQuestion {
  asked: number;
  names: string[];
  edges: [from: string, to: string][];
}

export interface LayoutAnswer {
  asked: number;
  places: [name: string, x: number, y: number][];
}
