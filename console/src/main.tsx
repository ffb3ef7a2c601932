import "./styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { startLang, useLang } from "./i18n";
import { makeRouter } from "./router";
import { ConfirmIdentity } from "./shell/confirm-identity";
import { Toasts } from "./ui/toast";

const client = new QueryClient({
	defaultOptions: {
		queries: {
			staleTime: 5000,
			refetchOnWindowFocus: true,
			retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 2,
		},
	},
});
const router = makeRouter(client);

function App() {
	const lang = useLang();
	return (
		<QueryClientProvider client={client}>
			<RouterProvider key={lang} router={router} />
			<ConfirmIdentity router={router} />
			<Toasts />
		</QueryClientProvider>
	);
}

const root = document.getElementById("root");
if (root) {
	void startLang().then(() =>
		createRoot(root).render(
			<StrictMode>
				<App />
			</StrictMode>,
		),
	);
}
