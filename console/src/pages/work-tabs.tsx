import { t } from "../i18n";
import { PageTabs } from "../ui/page";

export const WorkTabs = () => (
	<PageTabs
		label={t("nav.work")}
		tabs={[
			{ to: "/manage/jobs", title: t("nav.jobs") },
			{ to: "/manage/queues", title: t("queues.title") },
			{ to: "/manage/workers", title: t("workers.title") },
			{ to: "/manage/schedules", title: t("nav.schedules") },
		]}
	/>
);
