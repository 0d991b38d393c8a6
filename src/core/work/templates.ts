// The placeholders of Swarm's service templates, such as {{.Node.Hostname}} and {{.Task.Slot}}: files made for Swarm give each task its own
// name or number by them. Only these are filled in; other text in braces is the application's own. Pure.

export type TemplateValues = {
  readonly serviceId: string;
  readonly serviceName: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly os: string;
  readonly arch: string;
  readonly taskId: string;
  readonly taskName: string;
  readonly slot: number;
};

const VALUES: ReadonlyMap<string, (values: TemplateValues) => string> = new Map(
  Object.entries<(values: TemplateValues) => string>({
    "Service.ID": ({ serviceId }) => serviceId,
    "Service.Name": ({ serviceName }) => serviceName,
    "Node.ID": ({ nodeId }) => nodeId,
    "Node.Hostname": ({ nodeName }) => nodeName,
    "Node.Platform.OS": ({ os }) => os,
    "Node.Platform.Architecture": ({ arch }) => arch,
    "Task.ID": ({ taskId }) => taskId,
    "Task.Name": ({ taskName }) => taskName,
    "Task.Slot": ({ slot }) => String(slot),
  }),
);
const PLACEHOLDER = /\{\{\s*\.([A-Za-z.]+)\s*\}\}/g;

/** The text with every known placeholder filled in. */
export function fillTemplate(text: string, values: TemplateValues): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => VALUES.get(name)?.(values) ?? whole);
}
