/** A phone: little memory, and pixels too small for the skin's lines. */
export const PHONE = matchMedia("(pointer: coarse)").matches && Math.min(screen.width, screen.height) < 600;
