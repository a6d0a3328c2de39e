/** The tundish command. */
export {};
