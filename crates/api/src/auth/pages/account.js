"use strict";
// What the one-time links open: a new password, an invitation, a confirmed address.
// The secret stands behind '#', so that no server has seen it before it is used here.

const show = (id) => document.getElementById(id);
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const page = location.pathname.split("/").filter(Boolean).pop();
history.replaceState(null, "", location.pathname);

function tell(title, text, isDone) {
  show("title").textContent = title;
  show("about").textContent = text;
  show("form").hidden = isDone;
}

async function post(path, body) {
  const answer = await fetch(`/api/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  const json = text ? JSON.parse(text) : {};
  if (answer.ok) return json;
  const faults = json.error?.details?.errors ?? [];
  const said = faults.map((fault) => `${fault.field} ${fault.message}`).join("; ");
  const error = new Error(said || json.error?.message || "It did not work.");
  error.reason = json.error?.details?.reason;
  throw error;
}

function ask(fields, button, send) {
  for (const field of fields) show(`${field}-row`).hidden = false;
  show("send").textContent = button;
  show("form").hidden = false;
  show("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    show("send").disabled = true;
    try {
      await send();
    } catch (error) {
      show("about").textContent = error.message;
    }
    show("send").disabled = false;
  });
}

const pages = {
  async "reset-password"() {
    tell("New password", "Choose a new password. Every browser is signed out.", false);
    ask(["password"], "Set the password", async () => {
      await post("password-resets:confirm", { token, password: show("password").value });
      tell("New password", "The password is set. You can sign in with it.", true);
    });
  },

  async confirm() {
    await post("sign-up:confirm", { token });
    tell("Address confirmed", "Your address is confirmed. You can sign in.", true);
  },

  async invitation() {
    const { organizationName, invitedBy, email, role } = await post("invitations:preview", { token });
    const about = `${invitedBy} invites ${email} to ${organizationName}, as ${role}.`;
    const done = () => tell("Invitation", `You have joined ${organizationName}.`, true);
    const signedIn = (await fetch("/api/auth/session")).ok;
    tell("Invitation", about, false);
    const fields = signedIn ? [] : ["name", "password"];
    ask(fields, "Accept", async () => {
      const account = signedIn ? {} : { name: show("name").value, password: show("password").value };
      await post("invitations:accept", { token, ...account });
      done();
    });
  },
};

(pages[page] ?? (async () => tell("Your account", "There is no such page.", true)))().catch((error) =>
  tell("It did not work", error.message, true),
);
