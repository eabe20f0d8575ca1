/** The version that this agent reports of itself: that of its package. */
export const agentVersion = "0.1.0";
