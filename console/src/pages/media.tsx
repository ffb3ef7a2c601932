import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { api } from "../api/client";
import type { CacheSize } from "../api/types";
import { t, word } from "../i18n";
import { bytes } from "../lib/format";
import { readSettings } from "../lib/settings";
import { Card, Progress } from "../ui/bits";
import { Button } from "../ui/button";
import { Confirm } from "../ui/dialog";
import { Page } from "../ui/page";
import { ErrorBox, Loading } from "../ui/states";
import { toast, toastError } from "../ui/toast";

type Shelf = "images" | "videos";

export function MediaPage() {
	const client = useQueryClient();
	const [asked, setAsked] = useState<Shelf | null>(null);
	const size = useQuery({
		queryKey: ["media"],
		queryFn: () => api.get<{ data: CacheSize }>("/api/cache/size").then((answer) => answer.data),
		refetchInterval: 30_000,
	});
	const settings = useQuery({ queryKey: ["settings"], queryFn: readSettings });
	const limit = (name: string) => {
		const value = settings.data?.data.find((setting) => setting.key.endsWith(name))?.value;
		return typeof value === "number" ? value * 1_000_000 : null;
	};
	const clear = useMutation({
		mutationFn: (shelf: Shelf) => api.post<{ message: string }>(`/api/cache/clear/${shelf}`),
		onSuccess: () => {
			toast(t("media.cleared"));
			setAsked(null);
		},
		onError: toastError,
		onSettled: () => client.invalidateQueries({ queryKey: ["media"] }),
	});
	const shelves: { shelf: Shelf; used?: number; most: number | null }[] = [
		{ shelf: "images", used: size.data?.image_size_bytes, most: limit("image_cache_max_size_mb") },
		{ shelf: "videos", used: size.data?.video_size_bytes, most: limit("video_cache_max_size_mb") },
	];
	return (
		<Page title={t("nav.media")} about={t("media.about")}>
			{size.error ? <ErrorBox error={size.error} retry={() => void size.refetch()} /> : null}
			<div className="grid gap-4 md:grid-cols-2">
				{shelves.map(({ shelf, used, most }) => (
					<Card
						key={shelf}
						title={t(`media.${shelf}`)}
						aside={
							<Button
								size="sm"
								kind="danger"
								icon={<Trash2 size={14} aria-hidden />}
								disabled={!used}
								onClick={() => setAsked(shelf)}
							>
								{t(`media.clear.${shelf}`)}
							</Button>
						}
					>
						{used === undefined ? (
							<Loading rows={2} />
						) : (
							<div className="grid gap-2">
								<p className="text-2xl font-semibold tracking-tight">{bytes(used)}</p>
								{most !== null && (
									<>
										<Progress
											label={t(`media.${shelf}`)}
											value={(used / most) * 100}
											tone={used > most * 0.9 ? "warn" : "accent"}
										/>
										<p className="text-sm text-muted">{t("media.ofLimit", { limit: bytes(most) })}</p>
									</>
								)}
							</div>
						)}
					</Card>
				))}
			</div>
			<p className="max-w-2xl text-muted">{t("media.how")}</p>
			{asked && (
				<Confirm
					title={t(`media.clear.${asked}`)}
					action={t("media.clearNow")}
					danger
					typed={word(asked)}
					busy={clear.isPending}
					onClose={() => setAsked(null)}
					onConfirm={() => clear.mutate(asked)}
				>
					<p>{t("media.why")}</p>
				</Confirm>
			)}
		</Page>
	);
}
