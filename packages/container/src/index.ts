/** What goes out: manifest, Genie config, specializations, metadata. */
export {};
