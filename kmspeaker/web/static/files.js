/** Address of a file that the server lets this page read. */
export function fileUrl(path) {
  const root = window.gradio_config?.root ?? "";
  return `${root}/gradio_api/file=${path.split("/").map(encodeURIComponent).join("/")}`;
}
