// Positional parameters that many verbs share.

const ref = (placeholder: string, brief: string) => ({ parse: String, placeholder, brief }) as const;

export function oneRef(placeholder: string, brief: string) {
  return { kind: "tuple", parameters: [ref(placeholder, brief)] } as const;
}

export function manyRefs(placeholder: string, brief: string) {
  return { kind: "array", parameter: ref(placeholder, brief), minimum: 1 } as const;
}
