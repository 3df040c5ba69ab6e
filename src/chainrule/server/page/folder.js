// A folder of pictures becomes a tar archive, which the server reads: CLASS/NUMBER.ending. Large pictures are made smaller.

const PICTURES = /\.(png|jpe?g|bmp|gif|webp|tiff?|pgm|ppm)$/i;
const [MOST, LARGE, SIDE] = [5000, 30_000, 160];

/** All files of dropped folders: [{file, path}]. */
export async function filesOf(entries) {
  const found = [];
  for (const entry of entries) {
    if (found.length >= MOST) break;
    if (entry.isDirectory) found.push(...(await filesOf(await inside(entry.createReader()))));
    else if (PICTURES.test(entry.name)) found.push({ file: await new Promise((done, failed) => { entry.file(done, failed); }), path: entry.fullPath });
  }
  return found;
}

/** What a folder holds; the browser tells it in parts. */
async function inside(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((done, failed) => { reader.readEntries(done, failed); });
    if (!some.length) return all;
    all.push(...some);
  }
}

/** The archive of those that are pictures in a folder; null where there are none. */
export async function archive(files) {
  const parts = [];
  for (const [number, { file, path }] of files.slice(0, MOST).entries()) {
    const folder = path.split("/").at(-2);
    const [ending] = PICTURES.exec(path) ?? [];
    if (!folder || folder.startsWith(".") || path.split("/").at(-1).startsWith(".") || !ending) continue;
    const small = file.size > LARGE ? await smaller(file) : null;
    const bytes = new Uint8Array(await (small ?? file).arrayBuffer());
    parts.push(head(`${folder}/${number}${small ? ".png" : ending}`, bytes.length), bytes, new Uint8Array(-bytes.length & 511));
  }
  return parts.length ? new Blob([...parts, new Uint8Array(1024)]) : null;
}

/** A picture no larger than the page needs; null of one that the browser cannot read, which is sent as it is. */
async function smaller(file) {
  try {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale)));
    const brush = canvas.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: "image/png" });
  } catch {
    return null;
  }
}

/** The 512 bytes before a file (POSIX ustar). */
function head(name, size) {
  const block = new Uint8Array(512);
  const write = (at, text) => block.set(new TextEncoder().encode(text), at);
  const named = new TextEncoder().encode(name);
  if (named.length > 100) throw new Error(name);
  block.set(named, 0);
  write(100, "0000644");
  write(124, size.toString(8).padStart(11, "0"));
  write(148, " ".repeat(8));
  write(156, "0");
  write(257, "ustar\0" + "00");
  write(148, `${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0`);
  return block;
}
