/** Of this control plane: that of its package. */
export const version = "0.1.0";
