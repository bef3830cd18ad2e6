// HTML mail made harmless. It is shown in a frame without any rights, below a policy that loads
// nothing; what could run or fetch is taken out all the same.

const DROPPED = "script, style[src], link, meta, base, iframe, frame, frameset, object, embed, applet, form, "
  + "input, button, select, textarea, audio, video, source, track, template, svg, math, portal, dialog";
const FETCHING = ["src", "srcset", "background", "poster", "action", "formaction", "data", "ping", "xlink:href"];
const REMOTE_STYLE = /@import[^;]*;?|url\s*\([^)]*\)|image-set\s*\([^)]*\)|expression\s*\(/gi;

/** The text of a document for the frame, and how much that is elsewhere was left out. */
export function harmless(html, attachments) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const inline = new Map(attachments.filter((one) => one.contentId && /^image\//.test(one.mimeType))
    .map((one) => [one.contentId.replace(/^<|>$/g, ""), one]));
  let blocked = 0;
  const styled = (text) => text.replace(REMOTE_STYLE, () => {
    blocked += 1;
    return "";
  });
  for (const element of page.querySelectorAll(DROPPED)) {
    element.remove();
  }
  for (const style of page.querySelectorAll("style")) {
    style.textContent = styled(style.textContent);
  }
  for (const element of page.querySelectorAll("*")) {
    for (const { name, value } of Array.from(element.attributes)) {
      if (/^on/i.test(name)) {
        element.removeAttribute(name);
      } else if (name === "style") {
        element.setAttribute(name, styled(value));
      } else if (FETCHING.includes(name.toLowerCase())) {
        element.removeAttribute(name);
        const image = value.startsWith("cid:") && inline.get(decodeURIComponent(value.slice(4)));
        if (element.localName === "img" && name === "src" && image) {
          element.setAttribute("src", dataUrl(image));
        } else if (element.localName === "img" && name === "src" && /^data:image\//.test(value)) {
          element.setAttribute("src", value);
        } else {
          blocked += 1;
        }
      } else if (name === "href") {
        // Where a link goes can be read, but a click opens nothing.
        element.removeAttribute(name);
        if (/^(https?|mailto):/i.test(value)) {
          element.setAttribute("title", value);
        }
      } else if (name === "target") {
        element.removeAttribute(name);
      }
    }
  }
  return { text: `<!doctype html>${page.documentElement.outerHTML}`, blocked };
}

function dataUrl(attachment) {
  const bytes = new Uint8Array(attachment.content);
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return `data:${attachment.mimeType};base64,${btoa(binary)}`;
}
