import { t } from "../i18n";
import { isOffered } from "../shell/nav";
import { PageTabs } from "../ui/page";

export function WorkTabs() {
	const tabs = [
		{ to: "/manage/jobs", title: t("nav.jobs") },
		{ to: "/manage/queues", title: t("queues.title") },
		{ to: "/manage/workers", title: t("workers.title") },
		{ to: "/manage/schedules", title: t("nav.schedules") },
	].filter((tab) => isOffered(tab.to));
	return tabs.length > 1 ? <PageTabs label={t("nav.work")} tabs={tabs} /> : null;
}
