// Something to look at: accounts, keys, chats, a picture.
export async function adminOf(house) {
	const answer = await fetch(`${house.url}/api/login`, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({ username: "admin", password: house.password }),
	});
	const { token } = await answer.json();
	return async (method, path, body) => {
		const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
		const response = await fetch(house.url + path, {
			method,
			headers,
			body: body === undefined ? undefined : JSON.stringify(body),
		});
		const data = await response.json();
		if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(data)}`);
		return data;
	};
}

export async function client(house, key, path, body) {
	const response = await fetch(house.url + path, {
		method: "POST",
		headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
		body: JSON.stringify(body),
	});
	return { status: response.status, text: await response.text() };
}

/** What somebody might have written to break into the page. */
export const HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';

export async function seed(house) {
	const admin = await adminOf(house);
	const { key } = await admin("POST", "/api/keys", { name: "Alice's laptop" });
	await admin("POST", "/api/keys", { name: HOSTILE.slice(0, 60), models: ["grok-4-fast"] });
	const { data } = await admin("GET", "/api/accounts");
	const labels = [["team-a"], ["team-a", "eu"], ["backup"], ["<b>bold</b>"]];
	for (const [at, account] of data.slice(0, 4).entries()) {
		await admin("PATCH", `/api/accounts/${account.id}`, {
			tags: labels[at],
			note: ["North rack", "South rack", "Spare", HOSTILE][at],
		});
	}
	for (const model of ["grok-4-fast", "grok-3-fast", "grok-4-fast"]) {
		await client(house, key, "/v1/chat/completions", { model, messages: [{ role: "user", content: HOSTILE }] });
	}
	await client(house, key, "/v1/chat/completions", { model: HOSTILE, messages: [{ role: "user", content: "hi" }] });
	await client(house, key, "/v1/images/generations", {
		model: "grok-4-fast",
		prompt: "A lighthouse at dusk, waves below",
	});
	return { admin, key };
}
