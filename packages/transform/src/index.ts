/** Graph in, graph out: AR/CL conversion, split, MHA to SHA. */
export {};
