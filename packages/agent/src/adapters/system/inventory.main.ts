import { cpu, mem, osInfo } from "systeminformation";

// A child of the agent's that lives for a second: the library costs 9 MB, which the agent does not have to keep.
const [os, processor, memory] = await Promise.all([osInfo(), cpu(), mem()]);
const inventory = {
  os: `${os.distro} ${os.release}`.trim(),
  kernel: os.kernel,
  arch: os.arch,
  cpu: `${processor.manufacturer} ${processor.brand}`.trim(),
  cores: processor.cores,
  memoryBytes: memory.total,
};
process.stdout.write(JSON.stringify(inventory));
