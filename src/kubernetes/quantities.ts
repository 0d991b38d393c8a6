// Amounts as Kubernetes writes them: CPUs in thousandths of a core, bytes in the largest unit that divides them. Pure.

const UNITS = ["", "Ki", "Mi", "Gi", "Ti"] as const;
const STEP = 1_024;

/** "500m", "2". Never less than a thousandth. */
export function cpuQuantity(cores: number): string {
  const thousandths = Math.max(1, Math.ceil(cores * 1_000 - 1e-6));
  return thousandths % 1_000 === 0 ? String(thousandths / 1_000) : `${thousandths}m`;
}

/** "256Mi", "1000". */
export function byteQuantity(bytes: number): string {
  let amount = Math.ceil(bytes);
  let unit = 0;
  while (amount > 0 && amount % STEP === 0 && unit < UNITS.length - 1) {
    amount /= STEP;
    unit += 1;
  }
  return `${amount}${UNITS[unit] ?? ""}`;
}
